"""What the model computes with: fused operations with gradients of their own."""
