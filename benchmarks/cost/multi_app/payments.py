from step import app as app
