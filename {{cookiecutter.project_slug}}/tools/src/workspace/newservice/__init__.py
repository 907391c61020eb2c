"""One more service: its code, made from the contracts and the declared sagas, and its place.

A *participant* carries out the steps that a saga declares at it, an *initiator* begins a saga, and
a *listener* only subscribes. What is made is the user's: nothing makes it again.
"""
