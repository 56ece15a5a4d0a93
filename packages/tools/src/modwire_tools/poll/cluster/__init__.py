"""Lines on the nodes of a Ray cluster: `modwire poll --ray`. Only `ray_cluster` imports Ray.

The poller's process, the driver, has a `ClusterReader`. It makes groups of lines, one for each
node, and each `Group` has a `LineActor` on a node, which Ray starts and restarts. An actor reads
only while the driver asks it for values, at least every `LEASE` seconds. So one that has lost its
driver, or that the driver has given up, stops by itself before another one takes over.
"""
