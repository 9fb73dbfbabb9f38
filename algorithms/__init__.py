"""How one agent learns, and how many learn at once."""
