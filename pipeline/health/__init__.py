"""How an activation, a platform, a pixel or an import is doing, in one word and one sentence.

`words` decides, from facts only; `reading` collects the facts of a whole page at once; API, console and metrics ask
`reading`.
"""
