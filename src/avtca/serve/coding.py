"""Annotations of the page: export, import and agreement."""

from fastapi import APIRouter

router = APIRouter()
