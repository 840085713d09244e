"""What ``python -m fastdrop`` runs."""
