"""The papers: what each did and claimed, and one small module per table and figure."""
