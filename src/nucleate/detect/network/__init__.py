"""A small network that has seen many generated curves says where sharp changes may be."""
