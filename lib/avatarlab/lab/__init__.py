"""Notebook machinery: runs, checks and renders notebooks, starts JupyterLab, shows 3D. Knows nothing of avatars."""
