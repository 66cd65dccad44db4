"""The probe: frozen features, kept between runs, and a linear head fitted on them."""
