"""The work itself: `captions` and `looks` handle the rows; `encoder` is the model, `pictures` and `perception` look."""
