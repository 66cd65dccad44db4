"""The doctor: what is wrong with a data set, found before it is trained on."""
