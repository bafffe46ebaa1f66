"""From a law and observations to a frozen fit."""
