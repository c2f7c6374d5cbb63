"""What networks cost on machines: the one floor on which every verb stands.

`Way`, how layers are mapped; `Ask`, one question about one layer; `models/`, who answers; `network`, the
loop over the layers of networks: what stays on chip, what gives way, equal questions asked once.
"""
