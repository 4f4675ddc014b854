"""From pictures to a dataset of faces: read, detect, crop, prepare (the command).

Images are uint8 RGB arrays (H, W, 3) throughout; boxes are in pixels of the picture.
"""
