"""Commands that are no steps; ``cli`` only parses for them."""
