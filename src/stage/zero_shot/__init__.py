"""Zero-shot: answers about any film, without training, from what detectors and text vectors say"""
