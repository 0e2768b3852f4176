"""What makes one score better than another: rendering, text consistency, harmony, adherence, and their composite."""
