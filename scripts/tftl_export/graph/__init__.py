"""What an exported model computes: its signatures, and the parts they are made of."""
