"""How texts and numbers are read as what they mean: exactly, or not at all.

`numbers` reads whole numbers and others, `moments` reads times, `spelled` reads texts of a source that spells them in
its own way. They know neither Django nor the database.
"""
