"""Vision-language models as answerers: on this machine, or on a server"""
