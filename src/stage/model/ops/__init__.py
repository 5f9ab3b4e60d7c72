"""What the model computes with: operations with gradients of their own."""
