"""The description of the public door, for programs and as a page. The page asks no other host for anything."""

from importlib.resources import files

from fastapi import APIRouter, Request, Response
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

router = APIRouter(include_in_schema=False)

# fastapi-offline ships Swagger UI 5: the 4.15 of swagger-ui-bundle cannot render OpenAPI 3.1.
swagger_ui = StaticFiles(directory=str(files("fastapi_offline") / "static"))

ONLY_FROM_HERE = (
    "default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Praxis: the API</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head>
<body>
<div id="docs"><noscript>The description for programs is at <a href="/openapi.json">/openapi.json</a>.</noscript></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/static/docs.js"></script>
</body>
</html>
"""


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    return Response(request.state.contracts.document, media_type="application/json")


@router.get("/docs")
async def docs() -> HTMLResponse:
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": ONLY_FROM_HERE})
