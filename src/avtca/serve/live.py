"""The live socket."""

from fastapi import APIRouter

router = APIRouter()
