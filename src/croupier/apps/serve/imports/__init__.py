"""Batch doors: past trials and master data of arms, row by row."""
