"""Pictures of runs, drawn by matplotlib; in a terminal, by characters."""

from nncli.report.plots.pictures import Picture, pictures_of

__all__ = ["Picture", "pictures_of"]
