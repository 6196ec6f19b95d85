"""`lstm-jax export`: a trained model as one file for other programs.

about      what a user must know to feed a model, as strings that stand in its file
graph      the whole model as ONNX
arrays     its parameters as safetensors, the recurrent layers in another framework's layout
command    the command
"""
