"""What `GET /metrics` tells: counts of this process and of the shared database, in Prometheus's exposition format."""
