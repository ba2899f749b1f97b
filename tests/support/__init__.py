"""What tests share: builders of values, and pure stand-ins where the real thing would only be slower."""
