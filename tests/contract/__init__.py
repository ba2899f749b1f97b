"""What every vendor's adapter must do, whoever the vendor."""
