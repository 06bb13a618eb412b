"""Tests of nncli.tables."""
