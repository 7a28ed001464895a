"""What a worker cannot do: reach the network, write elsewhere, start processes without end.

Made of what the kernel has, part by part; what is missing is told with its reason, never assumed.
"""
