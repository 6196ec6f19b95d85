"""The gate animation as a page that a browser plays; no matplotlib."""

from lstm_jax.animation.page import gate_animation_html, save_html

__all__ = ["gate_animation_html", "save_html"]
