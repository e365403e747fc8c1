"""Figures, 3D views and offline pages in one look."""
