"""How good faces are: pictures and weights in, figures and words out."""
