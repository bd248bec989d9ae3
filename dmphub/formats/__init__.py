"""How the console writes dates: by locale, as Django asks."""
