"""What a user calls: where the layers are composed."""
