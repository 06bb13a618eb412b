"""One training over several workers: processes of a machine, and ranks of MPI."""
