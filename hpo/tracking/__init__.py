"""Export of a running study to experiment trackers: TensorBoard, MLflow, Weights & Biases."""
