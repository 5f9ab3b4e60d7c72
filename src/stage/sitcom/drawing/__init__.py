"""Drawing the sitcom: settings to images and boxes."""
