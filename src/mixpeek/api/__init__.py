"""The HTTP edge: the application, authentication, the error envelope, and one module of routes per resource."""
