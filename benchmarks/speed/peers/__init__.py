"""What people would use instead, each as its manual has it."""
