"""What is known of the arms → the share each gets: weights, never draws."""
