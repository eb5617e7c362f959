"""What a platform past one machine runs on, on this one: a PostgreSQL primary with a replica, an S3 server, Ray."""
