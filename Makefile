# The same commands as `python3 make.py ...`, for those who type make.
.PHONY: demo test site prepare execute setup
demo test site prepare execute setup:
	@python3 make.py $@
