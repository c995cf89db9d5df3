"""What the product costs in time, disk and memory, beside what people would use instead."""
