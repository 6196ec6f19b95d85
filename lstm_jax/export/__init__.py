"""`lstm-jax export`: a trained model as one file for other programs.

about      the metadata that a user needs to run an exported model
graph      the whole model as ONNX
arrays     its parameters as safetensors, with recurrent layers in another framework's layout
command    the command
"""
