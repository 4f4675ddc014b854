"""Films for tests, written when they are needed."""

import cv2
import numpy as np


def write_film(path, colours, size=(64, 48), fps=10):
    """A film of plain frames, one a colour (r, g, b) or a picture uint8 RGB (H, W, 3)."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), fps, size)
    for colour in colours:
        frame = np.full((size[1], size[0], 3), colour, np.uint8)
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    return path
