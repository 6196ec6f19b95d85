"""Run the command line by `python -m lstm_jax`, the same as `lstm-jax`."""

from lstm_jax.cli import main

if __name__ == "__main__":
    main()
