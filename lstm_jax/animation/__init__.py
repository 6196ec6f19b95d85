"""The gate animation as a page that plays in a browser, without matplotlib."""

from lstm_jax.animation.page import gate_animation_html, save_html

__all__ = ["gate_animation_html", "save_html"]
