"""What every room stands on: errors, files, shapes, the Subject, processes side by side, progress."""
