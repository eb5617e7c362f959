"""What answers realtime requests: replicas, the routes to them, and what is counted of them."""
